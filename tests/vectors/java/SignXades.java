import java.io.File;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.security.KeyStore;
import java.security.MessageDigest;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.util.Base64;
import java.util.List;
import javax.xml.crypto.OctetStreamData;
import javax.xml.crypto.URIReferenceException;
import javax.xml.crypto.URIDereferencer;
import javax.xml.crypto.dom.DOMStructure;
import javax.xml.crypto.dsig.DigestMethod;
import javax.xml.crypto.dsig.Reference;
import javax.xml.crypto.dsig.SignedInfo;
import javax.xml.crypto.dsig.Transform;
import javax.xml.crypto.dsig.XMLObject;
import javax.xml.crypto.dsig.XMLSignatureFactory;
import javax.xml.crypto.dsig.dom.DOMSignContext;
import javax.xml.crypto.dsig.keyinfo.KeyInfo;
import javax.xml.crypto.dsig.keyinfo.KeyInfoFactory;
import javax.xml.crypto.dsig.spec.C14NMethodParameterSpec;
import javax.xml.crypto.dsig.spec.TransformParameterSpec;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.transform.TransformerFactory;
import javax.xml.transform.dom.DOMSource;
import javax.xml.transform.stream.StreamResult;
import org.w3c.dom.Document;
import org.w3c.dom.Element;

/**
 * Made the XAdES signatures in this folder: the JDK's own signer, which knows nothing of XAdES, given the properties
 * as a document. A Signature in a default namespace, inclusive canonicalization, the older SigningCertificate.
 *
 * java SignXades.java enveloped|detached IN OUT STORE.p12 (pass phrase "x") SIGNATURE-METHOD
 */
public class SignXades {
    static final String C14N = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315";
    static final String DS = "http://www.w3.org/2000/09/xmldsig#";
    static final String XADES = "http://uri.etsi.org/01903/v1.3.2#";
    static Document document;

    static Element child(Element parent, String namespace, String name, String text) {
        Element element = document.createElementNS(namespace, namespace.equals(DS) ? name : "xades:" + name);
        if (namespace.equals(DS) && !DS.equals(parent.lookupNamespaceURI(null))) {
            element.setAttributeNS("http://www.w3.org/2000/xmlns/", "xmlns", DS);
        }
        if (text != null) {
            element.setTextContent(text);
        }
        parent.appendChild(element);
        return element;
    }

    static Element properties(X509Certificate certificate) throws Exception {
        Element qualifying = document.createElementNS(XADES, "xades:QualifyingProperties");
        qualifying.setAttributeNS("http://www.w3.org/2000/xmlns/", "xmlns:xades", XADES);
        qualifying.setAttribute("Target", "#S");
        Element signed = child(qualifying, XADES, "SignedProperties", null);
        signed.setAttribute("Id", "P");
        Element signature = child(signed, XADES, "SignedSignatureProperties", null);
        child(signature, XADES, "SigningTime", "2026-11-21T11:00:00+01:00");
        Element cert = child(child(signature, XADES, "SigningCertificate", null), XADES, "Cert", null);
        Element digest = child(cert, XADES, "CertDigest", null);
        child(digest, DS, "DigestMethod", null).setAttribute("Algorithm", DigestMethod.SHA256);
        byte[] taken = MessageDigest.getInstance("SHA-256").digest(certificate.getEncoded());
        child(digest, DS, "DigestValue", Base64.getEncoder().encodeToString(taken));
        Element issuer = child(cert, XADES, "IssuerSerial", null);
        child(issuer, DS, "X509IssuerName", certificate.getIssuerX500Principal().getName());
        child(issuer, DS, "X509SerialNumber", certificate.getSerialNumber().toString());
        Element data = child(signed, XADES, "SignedDataObjectProperties", null);
        Element format = child(data, XADES, "DataObjectFormat", null);
        format.setAttribute("ObjectReference", "#R");
        child(format, XADES, "MimeType", "text/xml");
        return qualifying;
    }

    public static void main(String[] arguments) throws Exception {
        boolean enveloped = arguments[0].equals("enveloped");
        File input = new File(arguments[1]);
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(new FileInputStream(arguments[3]), "x".toCharArray());
        String alias = store.aliases().nextElement();
        PrivateKey key = (PrivateKey) store.getKey(alias, "x".toCharArray());
        X509Certificate certificate = (X509Certificate) store.getCertificate(alias);
        DocumentBuilderFactory builders = DocumentBuilderFactory.newInstance();
        builders.setNamespaceAware(true);
        document = enveloped
            ? builders.newDocumentBuilder().parse(input) : builders.newDocumentBuilder().newDocument();

        XMLSignatureFactory factory = XMLSignatureFactory.getInstance("DOM");
        DigestMethod sha256 = factory.newDigestMethod(DigestMethod.SHA256, null);
        List<Transform> transforms = enveloped
            ? List.of(factory.newTransform(Transform.ENVELOPED, (TransformParameterSpec) null)) : null;
        Reference subject = factory.newReference(
            enveloped ? "" : input.getName(), sha256, transforms, null, "R");
        Reference said = factory.newReference("#P", sha256,
            List.of(factory.newTransform(C14N, (TransformParameterSpec) null)),
            "http://uri.etsi.org/01903#SignedProperties", null);
        SignedInfo signedInfo = factory.newSignedInfo(
            factory.newCanonicalizationMethod(C14N, (C14NMethodParameterSpec) null),
            factory.newSignatureMethod(arguments[4], null), List.of(subject, said));
        KeyInfoFactory keys = factory.getKeyInfoFactory();
        KeyInfo keyInfo = keys.newKeyInfo(List.of(
            keys.newKeyValue(certificate.getPublicKey()), keys.newX509Data(List.of(certificate))));
        Element qualifying = properties(certificate);
        XMLObject object = factory.newXMLObject(List.of(new DOMStructure(qualifying)), null, null, null);

        DOMSignContext context = new DOMSignContext(key, enveloped ? document.getDocumentElement() : document);
        context.setIdAttributeNS((Element) qualifying.getFirstChild(), null, "Id");
        URIDereferencer usual = factory.getURIDereferencer();
        context.setURIDereferencer((uri, crypto) -> {
            if (uri.getURI().isEmpty() || uri.getURI().startsWith("#")) {
                return usual.dereference(uri, crypto);
            }
            try {
                return new OctetStreamData(new FileInputStream(input));
            } catch (java.io.IOException error) {
                throw new URIReferenceException(error);
            }
        });
        factory.newXMLSignature(signedInfo, keyInfo, List.of(object), "S", null).sign(context);
        TransformerFactory.newInstance().newTransformer()
            .transform(new DOMSource(document), new StreamResult(new FileOutputStream(arguments[2])));
    }
}
